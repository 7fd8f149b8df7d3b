-- The memo of push calls: field p:<producer>:<op % 64> = "<op>|<ms>|<made>:<places>", made being the time that the
-- op's jids begin with (another one is the op of a producer that was cloned with its whole machine), places being
-- runs of their last three characters, "first-last,first-last". Answers 'stale', or what is in: its runs, its text.
local op_field = 'p:' .. producer .. ':' .. (op % 64)
local function seen_places(jid)
  local made = string.sub(jid, 1, 9)
  local value = redis.call('HGET', memo, op_field)
  if not value then return {}, made .. ':' end
  local last, before, places = string.match(value, '^(%d+)|%d+|(%w*):(.*)$')
  if not last then return {}, made .. ':' end
  if tonumber(last) > tonumber(op) then return 'stale' end
  if tonumber(last) < tonumber(op) or before ~= made then return {}, made .. ':' end
  local runs = {}
  for first, final in string.gmatch(places, '(%w+)%-(%w+)') do runs[#runs + 1] = {first, final} end
  return runs, made .. ':' .. places .. ','
end
local function is_in(runs, jid)
  local place = string.sub(jid, -3)
  for _, run in ipairs(runs) do
    if run[1] <= place and place <= run[2] then return true end
  end
  return false
end
-- Also for a repeat: a producer that waits for replicas waits for this connection's last write, so there must be one.
local function remember(now, known) redis.call('HSET', memo, op_field, op .. '|' .. whole(now) .. '|' .. known) end
