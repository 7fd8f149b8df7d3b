-- Which of the 16 jobs hashes holds a jid: the same sum as Partition.jobs_bucket.
local function bucket(jid)
  local sum = 0
  for i = math.max(#jid - 7, 1), #jid do sum = sum + string.byte(jid, i) end
  return sum % 16 + 1
end
