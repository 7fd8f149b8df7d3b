-- Tells the coordinators that a drained partition has work again. Only a hint, hence pcall: who polls sees it too.
local function ring(drained, priority)
  if drained == '1' then
    redis.call('HSET', meta, 'drained', '0')
    redis.pcall('SPUBLISH', wake, priority)
  end
end
