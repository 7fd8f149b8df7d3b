#!lua flags=no-writes
-- Dead letters behind a cursor, newest first: at most 1,000 are looked at in a call, and 4 MiB of them.
-- KEYS meta dead jobs...
-- ARGV from_ms from_jid since_ms kind heads limit
-- USES bucket
-- REPLY dead uninitialised
-- {dead, ms and jid to go on behind (jid blank at the end), then jid, at ms, record ..}. from_jid is blank at the start,
-- kind where any will do. With heads = 1 records come without their body. What is buried meanwhile stands before the
-- cursor, so no letter comes twice. Crash points: none, it only reads.
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
local reply, looked, bytes, skip = {'dead', from_ms, ''}, 0, 0, 0
while true do
  local rows = redis.call('ZRANGE', dead, from_ms, since_ms, 'BYSCORE', 'REV', 'LIMIT', skip, 64, 'WITHSCORES')
  for i = 1, #rows, 2 do
    local jid, ms = rows[i], rows[i + 1]
    if jid ~= '' and (from_jid == '' or tonumber(ms) ~= tonumber(from_ms) or precedes(jid, from_jid)) then
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
