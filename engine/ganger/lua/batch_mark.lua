#!lua flags=allow-oom
-- Members and callbacks that have ended. Counts move only with a bit that moves, so nothing is counted twice; a member
-- that had failed and succeeds after all moves from the one to the other.
-- KEYS head ended ok outbox
-- ARGV most_kept marks...
-- USES now batch
-- REPLY marked unknown
-- marks = who, "<how> <jid>" each; who = a member's number, or complete success death (the job of that callback), or
-- child (a member of a batch inside has died). Of the failed most_kept are kept by name, f:<number>. {marked, effects
-- owed}. Crash points: none.
if not is_batch() then return {'unknown'} end
local is_callback = {complete = true, success = true, death = true}
local function member(number, how, value)
  if how == 'succeeded' then
    if redis.call('SETBIT', ok, number, 1) == 0 then batch.ok = batch.ok + 1 end
    if batch.kept > 0 then batch.kept = batch.kept - redis.call('HDEL', head, 'f:' .. number) end
  elseif redis.call('GETBIT', ok, number) == 0 then
    if batch.kept < tonumber(most_kept) then
      batch.kept = batch.kept + redis.call('HSET', head, 'f:' .. number, value)
    end
    if how == 'dead' or how == 'exhausted' then died() end
  end
  if redis.call('SETBIT', ended, number, 1) == 0 then batch.ended = batch.ended + 1 end
end
for i = 1, #marks, 2 do
  local who, how = marks[i], string.match(marks[i + 1], '^%S*')
  if string.find(who, '^%d+$') then
    if tonumber(who) < batch.total then member(who, how, marks[i + 1]) end
  elseif who == 'child' then
    died()
  elseif is_callback[who] and batch[who] and batch[who] ~= 'succeeded' then
    note(who, how)
  end
end
redis.call('HSET', head, 'ended', whole(batch.ended), 'ok', whole(batch.ok), 'kept', whole(batch.kept))
follow()
return {'marked', owes()}
