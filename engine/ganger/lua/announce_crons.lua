#!lua flags=allow-oom
-- The cron entries of a live host, and since when it has had them; hosts that were silent for long are dropped.
-- KEYS crons
-- ARGV host app digest entries max_age_ms
-- USES now
-- REPLY announced
-- "h:<host>" = "<seen ms> <since ms> <digest> <app>", "d:<digest>" = the entries as JSON, once for all hosts that have
-- the same. A host that begins to say something else has it since now: that is its new generation. Crash points: none.
local now = now_ms()
local since, before = string.match(redis.call('HGET', crons, 'h:' .. host) or '', '^%d+ (%d+) (%S+)')
if before ~= digest then since = whole(now) end
redis.call('HSET', crons, 'h:' .. host, whole(now) .. ' ' .. since .. ' ' .. digest .. ' ' .. app)
redis.call('HSET', crons, 'd:' .. digest, entries)
local all, used = redis.call('HGETALL', crons), {}
for i = 1, #all, 2 do
  local seen, theirs = string.match(all[i + 1], '^(%d+) %d+ (%S+)')
  if string.sub(all[i], 1, 2) == 'h:' then
    if seen and now - seen <= tonumber(max_age_ms) then used[theirs] = true else redis.call('HDEL', crons, all[i]) end
  end
end
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'd:' and not used[string.sub(all[i], 3)] then redis.call('HDEL', crons, all[i]) end
end
return {'announced'}
