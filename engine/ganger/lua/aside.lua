#!lua flags=allow-oom
-- Which types of a partition wait in lanes: claims put their jobs aside. To be said again before its time is over; else
-- unlane takes the word back. It opens nothing: a partition must be there to remember, and have what lanes need (one that
-- an older version has opened lacks it).
-- KEYS meta lanes laned
-- ARGV ttl_ms words...
-- USES now
-- REPLY aside uninitialised
-- words = a type or * for all others, with <tag>! ahead where its lanes are by key: see lib lane. ttl_ms 0: they are said no
-- more, and over now, unless another says them again. With another word, or one more, what lies in lanes may lie wrong
-- there: unlane is owed. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'aside', 'unlane')
if not head[1] or redis.call('EXISTS', lanes, laned) < 2 then return {'uninitialised'} end
local now, kinds, said, other = now_ms(), {}, {}, false
local function kind_of(word) return string.match(word, '([^!]*)$') end
local function say(word, at)
  local kind = kind_of(word)
  if not said[kind] then kinds[#kinds + 1] = kind end
  said[kind] = {word, math.max(at, said[kind] and said[kind][2] or 0)}
end
for word, at in string.gmatch(head[2] or '', '([^%s=]+)=(%d+)') do say(word, tonumber(at)) end
for _, word in ipairs(words) do
  if tonumber(ttl_ms) > 0 then
    local before = said[kind_of(word)]
    other = other or not before or before[1] ~= word
    say(word, now + ttl_ms)
  elseif said[kind_of(word)] then
    said[kind_of(word)][2] = math.min(said[kind_of(word)][2], now)
  end
end
for i, kind in ipairs(kinds) do kinds[i] = said[kind][1] .. '=' .. whole(said[kind][2]) end
if #kinds > 0 then redis.call('HSET', meta, 'aside', table.concat(kinds, ' ')) end
if other and redis.call('ZCARD', lanes) > 1 then
  redis.call('HSET', meta, 'unlane', whole(math.max(now, (tonumber(head[3]) or 0) + 1)))
end
return {'aside'}
