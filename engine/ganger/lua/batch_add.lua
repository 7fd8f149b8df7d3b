#!lua
-- Numbers for new members, and what is to be delivered for them, in one: a number is given out only together with the
-- effect that makes a member of it. Until the batch's success has been decided it takes more.
-- KEYS head ended ok outbox
-- ARGV most producer op effects...
-- USES now batch
-- REPLY added unknown closed full stale
-- effects = name, how many members, value each; what is kept is "<number of the first> <value>". {added, number of the
-- first}. The same op again answers the same. Field o:<producer>:<op % 64> = "<op>|<first>". Crash points: none.
if not is_batch() then return {'unknown'} end
local memo = 'o:' .. producer .. ':' .. (op % 64)
local last, known = string.match(redis.call('HGET', head, memo) or '', '^(%d+)|(%d+)$')
if last and tonumber(last) > tonumber(op) then return {'stale'} end
if last == op then
  rewrite()
  return {'added', tonumber(known)}
end
if batch.success then return {'closed'} end
local first, count = batch.total, 0
for i = 2, #effects, 3 do count = count + effects[i] end
if first + count > tonumber(most) then return {'full'} end
local at = first
for i = 1, #effects, 3 do
  redis.call('HSET', outbox, effects[i], whole(at) .. ' ' .. effects[i + 2])
  at = at + effects[i + 1]
end
note('total', whole(at))
batch.total = at
note(memo, op .. '|' .. whole(first))
follow()
return {'added', first}
