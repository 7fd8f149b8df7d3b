#!lua flags=allow-oom
-- Pauses a cron entry or lets it go on. The ticks of a pause are not made up: it was wanted.
-- KEYS meta crons
-- ARGV name word
-- USES now crons
-- REPLY paused resumed same unknown uninitialised
-- word = pause | resume. {paused | resumed, now ms}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local cron, now = read_cron(name), now_ms()
if not cron then return {'unknown'} end
if (word == 'pause') == (cron.paused > 0) then return {'same'} end
if word == 'pause' then
  cron.paused = now
  note_cron(cron, whole(now), now, 'paused', '-')
else
  cron.paused, cron.covered = 0, math.max(cron.covered, now)
  note_cron(cron, whole(now), now, 'resumed', '-')
end
write_cron(name, cron)
return {word == 'pause' and 'paused' or 'resumed', whole(now)}
