#!lua flags=allow-oom
-- Forgets cron entries that no host has had for long. `names` are those that live.
-- KEYS meta crons
-- ARGV max_age_ms names...
-- USES now crons
-- REPLY swept uninitialised
-- {swept, removed}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local now, live, removed = now_ms(), {}, 0
for i = 1, #names do live[names[i]] = true end
for _, name in ipairs(redis.call('HKEYS', crons)) do
  local cron = name ~= '' and read_cron(name)
  if cron and live[name] then
    cron.alive = now
    write_cron(name, cron)
  elseif name ~= '' and (not cron or now - cron.alive > tonumber(max_age_ms)) then
    removed = removed + redis.call('HDEL', crons, name)
  end
end
return {'swept', removed}
