-- What a partition remembers of a cron entry, in crons under its name: a line "<covered>|<alive>|<paused>|<fired>|
-- <skipped>|<missed>|<schedule>", instants in ms and counts, and then a line per event, newest first: "<tick> <ms>
-- <word> <detail>". The last run stays among them, however many ticks were skipped since. Needs crons and lib now.
local KEPT = 50
local function read_cron(name)
  local found = {string.match(redis.call('HGET', crons, name) or '',
    '^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|([^\n]*)\n(.*)$')}
  if not found[1] then return nil end
  for i = 1, 6 do found[i] = tonumber(found[i]) end
  return {covered = found[1], alive = found[2], paused = found[3], fired = found[4], skipped = found[5],
    missed = found[6], schedule = found[7], events = found[8]}
end
local function write_cron(name, cron)
  redis.call('HSET', crons, name, table.concat({whole(cron.covered), whole(cron.alive), whole(cron.paused),
    whole(cron.fired), whole(cron.skipped), whole(cron.missed), cron.schedule}, '|') .. '\n' .. cron.events)
end
local function note_cron(cron, tick, now, word, detail)
  local rows = {tick .. ' ' .. whole(now) .. ' ' .. word .. ' ' .. detail .. '\n'}
  local has_run = word == 'fired' or word == 'run'
  for row in string.gmatch(cron.events, '[^\n]*\n') do
    local what = string.match(row, '^%d+ %d+ (%a+)')
    local is_run = what == 'fired' or what == 'run'
    if #rows < KEPT - (has_run and 0 or 1) or is_run and not has_run then rows[#rows + 1] = row end
    has_run = has_run or is_run
  end
  cron.events = table.concat(rows)
end
