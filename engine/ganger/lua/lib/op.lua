-- The memo of push calls: field p:<producer>:<op % 64> = "<op>|<ms>|<places>", places being runs of the jids' last
-- three characters, "first-last,first-last". Answers 'stale', or the set of places that are already in.
local op_field = 'p:' .. producer .. ':' .. (op % 64)
local function seen_places()
  local value = redis.call('HGET', memo, op_field)
  if not value then return {}, '' end
  local last, places = string.match(value, '^(%d+)|%d+|(.*)$')
  if tonumber(last) > tonumber(op) then return 'stale' end
  if tonumber(last) < tonumber(op) then return {}, '' end
  local runs = {}
  for first, final in string.gmatch(places, '(%w+)%-(%w+)') do runs[#runs + 1] = {first, final} end
  return runs, places .. ','
end
local function is_in(runs, jid)
  local place = string.sub(jid, -3)
  for _, run in ipairs(runs) do
    if run[1] <= place and place <= run[2] then return true end
  end
  return false
end
