#!lua flags=allow-oom
-- After a worker's death, or when it gives up on an op: what that claim took and the consumer still holds; and if it
-- never ran, it never will.
-- KEYS meta memo streams...
-- ARGV consumer worker op
-- USES now
-- REPLY closed uninitialised
-- {closed, stream, id, stream, id..}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local reply = {'closed'}
local memoed = redis.call('HGET', memo, 'c:' .. worker)
local last, ranges = string.match(memoed or '', '^(%d+)|%d+|(.*)$')
last, op = tonumber(last or -1), tonumber(op)
if last == op then
  for stream, first, final in string.gmatch(ranges, '(%d+):([%d-]+):([%d-]+)') do
    local key = streams[stream + 1]
    for _, lease in ipairs(redis.call('XPENDING', key, 'workers', first, final, 1000, consumer)) do
      reply[#reply + 1], reply[#reply + 2] = tonumber(stream), lease[1]
    end
  end
elseif last < op then
  redis.call('HSET', memo, 'c:' .. worker, op .. '|' .. whole(now_ms()) .. '|x')
end
return reply
