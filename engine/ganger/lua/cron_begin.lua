#!lua flags=allow-oom
-- A cron entry that has moved here, or whose schedule is another one than before: its ticks count from now on. What
-- was known of its runs stays; and whether it is paused, unless it comes from elsewhere.
-- KEYS meta crons
-- ARGV name schedule moved paused
-- USES now crons
-- REPLY begun known uninitialised
-- moved, paused: 1 or 0; the latter counts for what is new here, or moved. {begun, now ms}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local cron, now = read_cron(name), now_ms()
if cron and moved == '0' and cron.schedule == schedule then return {'known'} end
local fresh = moved == '1' or not cron
cron = cron or {covered = 0, fired = 0, skipped = 0, missed = 0, events = ''}
if fresh then cron.paused = paused == '1' and now or 0 end
cron.covered, cron.alive, cron.schedule = math.max(cron.covered, now), now, schedule
write_cron(name, cron)
return {'begun', whole(now)}
