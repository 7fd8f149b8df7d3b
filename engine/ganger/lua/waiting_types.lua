#!lua flags=no-writes
-- Which types wait in a partition, as a sample sees it: the oldest entries of each stream that nobody has claimed, some in
-- lanes, the jobs of later that are due first; 4 MiB of them at most.
-- KEYS meta later parked lanes rest...
-- ARGV per_stream per_later
-- USES waiting fields record bucket lane
-- REPLY sampled uninitialised
-- rest = 16 jobs hashes, then 11 streams. {sampled, whether that was all, type, how many ..}. Crash points: none, it
-- only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local counts, kinds, bytes, all = {}, {}, 0, 1
local function saw(kind, size)
  if not counts[kind] then
    counts[kind] = 0
    kinds[#kinds + 1] = kind
  end
  counts[kind], bytes = counts[kind] + 1, bytes + size
end
for i = 17, #rest do
  local count, last = waiting(rest[i])
  local left = math.min(count, tonumber(per_stream))
  if count > left then all = 0 end
  while left > 0 and bytes < 4194304 do
    local rows = redis.call('XRANGE', rest[i], '(' .. last, '+', 'COUNT', math.min(left, 4))
    if #rows == 0 then break end
    for _, row in ipairs(rows) do
      saw(field(row[2], 't') or '', #(field(row[2], 'b') or ''))
      last = row[1]
    end
    left = left - #rows
  end
  if left > 0 then all = 0 end
end
for _, member in ipairs(redis.call('ZRANGE', lanes, 1, per_stream)) do
  if bytes >= 4194304 then all = 0 break end
  local id = lane_book().entry_id(member)
  local row = redis.call('XRANGE', parked, id, id)[1]
  if row then saw(field(row[2], 't') or '', #(field(row[2], 'b') or '')) end
end
if redis.call('ZCARD', lanes) > per_stream + 1 then all = 0 end
local due = redis.call('ZRANGE', later, 0, per_later - 1)
for _, jid in ipairs(due) do
  if bytes >= 4194304 then all = 0 break end
  if jid ~= '' then
    local record = redis.call('HGET', rest[bucket(jid)], jid) or ''
    saw(unpack_record(record) or '', #record)
  end
end
if redis.call('ZCARD', later) > #due then all = 0 end
local reply = {'sampled', all}
for _, kind in ipairs(kinds) do reply[#reply + 1], reply[#reply + 2] = kind, counts[kind] end
return reply
