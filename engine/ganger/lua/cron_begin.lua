#!lua flags=allow-oom
-- A cron entry that is new here, or whose schedule is another one than before: its ticks count from now on. What was
-- known of it otherwise (its runs, whether it is paused) stays.
-- KEYS meta crons
-- ARGV name schedule
-- USES now crons
-- REPLY begun known uninitialised
-- {begun, now ms}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local cron, now = read_cron(name), now_ms()
if cron and cron.schedule == schedule then return {'known'} end
cron = cron or {covered = 0, paused = 0, fired = 0, skipped = 0, missed = 0, events = ''}
cron.covered, cron.alive, cron.schedule = math.max(cron.covered, now), now, schedule
write_cron(name, cron)
return {'begun', whole(now)}
