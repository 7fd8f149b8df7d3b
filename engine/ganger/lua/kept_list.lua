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
local reverse = order == 'REV'
local function rows(from, to)
  if reverse then return redis.call('ZRANGE', kept, from, to, 'REV', 'WITHSCORES') end
  return redis.call('ZRANGE', kept, from, to, 'WITHSCORES')
end
-- The place of the first one behind the cursor. Those of its instant may be all that there are: halved, not walked.
local function begin()
  local from, over
  if reverse then
    from, over = redis.call('ZCOUNT', kept, '(' .. from_ms, '+inf'), redis.call('ZCOUNT', kept, from_ms, '+inf')
  else
    from, over = redis.call('ZCOUNT', kept, '-inf', '(' .. from_ms), redis.call('ZCOUNT', kept, '-inf', from_ms)
  end
  while from_jid ~= '' and from < over do
    local middle = math.floor((from + over) / 2)
    local jid = rows(middle, middle)[1]
    if reverse and precedes(jid, from_jid) or not reverse and precedes(from_jid, jid) then
      over = middle
    else
      from = middle + 1
    end
  end
  return from
end
local function beyond(ms)
  if reverse then return tonumber(ms) < tonumber(to_ms) end
  return tonumber(ms) > tonumber(to_ms)
end
local reply, looked, bytes, at, ended = {'kept', from_ms, ''}, 0, 0, begin(), false
while not ended do
  local page = rows(at, at + 63)
  for i = 1, #page, 2 do
    local jid, ms = page[i], page[i + 1]
    ended = beyond(ms)
    if ended then break end
    if jid ~= '' then
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
  ended = ended or #page < 128
  at = at + 64
end
reply[3] = ''
return reply
