-- What a run has done in this partition: field y:<run> of the memo = "<moved>|<ms>|<taken back>", an x behind it once the
-- run is being undone, so that a late call of it is refused. Needs memo.
local function run_before(name)
  local value = redis.call('HGET', memo, 'y:' .. name)
  if not value then return 0, 0, false end
  local moved, back, shut = string.match(value, '^(%d+)|%d+|(%d+)(x?)')
  return tonumber(moved) or 0, tonumber(back) or 0, shut == 'x'
end
local function run_after(name, now, moved, back, shut)
  redis.call('HSET', memo, 'y:' .. name, whole(moved) .. '|' .. whole(now) .. '|' .. whole(back) .. (shut and 'x' or ''))
end
