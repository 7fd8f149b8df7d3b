#!lua flags=no-writes
-- Jobs of later (soonest first) or dead letters (newest first: order = REV) behind a cursor: at most 1,000 are looked
-- at in a call, and 4 MiB of them.
-- KEYS meta kept jobs...
-- ARGV order from_ms from_jid to_ms kind heads limit
-- USES bucket
-- REPLY kept uninitialised
-- {kept, ms and jid to go on behind (jid blank at the end), then jid, at ms, record ..}. from_jid is blank at the start,
-- kind where any will do. With heads = 1 records come without their body. Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local function precedes(a, b) -- by bytes, as Redis orders members: the < of Lua depends on the server's locale
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function head(record)
  local length, from = string.match(record, '^[^\n]*\n%d\n(%d+)\n()')
  return from and string.sub(record, 1, from + length - 1) or ''
end
local function behind_cursor(jid, ms)
  if from_jid == '' or tonumber(ms) ~= tonumber(from_ms) then return true end
  if order == 'REV' then return precedes(jid, from_jid) end
  return precedes(from_jid, jid)
end
local function page(skip)
  if order == 'REV' then
    return redis.call('ZRANGE', kept, from_ms, to_ms, 'BYSCORE', 'REV', 'LIMIT', skip, 64, 'WITHSCORES')
  end
  return redis.call('ZRANGE', kept, from_ms, to_ms, 'BYSCORE', 'LIMIT', skip, 64, 'WITHSCORES')
end
local reply, looked, bytes, skip = {'kept', from_ms, ''}, 0, 0, 0
while true do
  local rows = page(skip)
  for i = 1, #rows, 2 do
    local jid, ms = rows[i], rows[i + 1]
    if jid ~= '' and behind_cursor(jid, ms) then
      local record = redis.call('HGET', jobs[bucket(jid)], jid) or ''
      looked, bytes = looked + 1, bytes + #record
      if looked > 1 and bytes > 4194304 then return reply end
      reply[2], reply[3] = ms, jid
      if kind == '' or string.sub(record, 1, #kind + 1) == kind .. '\n' then
        local n = #reply
        reply[n + 1], reply[n + 2], reply[n + 3] = jid, ms, heads == '1' and head(record) or record
      end
      if looked == 1000 or (#reply - 3) / 3 == tonumber(limit) then return reply end
    end
  end
  if #rows < 128 then break end
  skip = skip + 64
end
reply[3] = ''
return reply
