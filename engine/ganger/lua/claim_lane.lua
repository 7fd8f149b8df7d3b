#!lua flags=allow-oom
-- Takes jobs of one lane for a worker, which holds what its limit asks for: the first ones, in their order, until their
-- expected run time reaches the budget, their number or their bytes a cap. They go from parked into laned and are leased
-- there in the same breath. Like claim otherwise, with the same memo: a worker's op is one of either.
-- KEYS meta memo locks tracks outbox log parked lanes returned ready...
-- ARGV nonce step consumer worker op lane budget_us cap_n cap_bytes costs
-- USES now ids fields claimed_before label ending lane
-- REPLY claimed refused uninitialised
-- {claimed, more 0/1, 10, {{id, fields}..}}; more = in this lane. What has expired ends here; a paused type's lane waits.
-- Crash points: none.
if not opened then return {'uninitialised'} end
local memoed = redis.call('HGET', memo, 'c:' .. worker)
op, budget_us, cap_n, cap_bytes = tonumber(op), tonumber(budget_us), tonumber(cap_n), tonumber(cap_bytes)
local reply = {'claimed', 0}
if memoed then
  local before = claimed_before(memoed, reply)
  if before then return before end
end
if paused == '1' then return reply end

local known, now, held_back = cmsgpack.unpack(costs), now_ms(), ' ' .. (paused_types or '') .. ' '
local book = lane_book()
local taken, spent, bytes, expired, looks, dropped_bytes, waits = 0, 0, 0, 0, 0, 0, false
while taken < cap_n and spent < budget_us and bytes < cap_bytes and looks < 250 and dropped_bytes < 4194304 do
  local member = book.members(lane, 1)[1]
  if not member then break end
  local id = book.entry_id(member)
  local row = redis.call('XRANGE', parked, id, id)[1]
  if row then
    local fields = row[2]
    local kind, body = field(fields, 't') or '', field(fields, 'b') or ''
    if string.find(held_back, ' ' .. kind .. ' ', 1, true) then waits = true break end
    local label = label_of(body)
    local expires = label and tonumber(label_word(label, 'x'))
    if expires and expires <= now then
      entry_ended(fields, 0, 'expired')
      expired, dropped_bytes = expired + 1, dropped_bytes + #body
    else
      add(ready[10], now, 'j', field(fields, 'j') or '', 't', kind, 'b', body, 's', field(fields, 's') or '',
        'p', priority_of(fields, 0))
      taken, spent, bytes = taken + 1, spent + (known[kind] or budget_us), bytes + #body
    end
    redis.call('XDEL', parked, id)
  end
  redis.call('ZREM', lanes, member)
  looks = looks + 1
end
local range = ''
if taken > 0 then
  local got = redis.call('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', taken, 'STREAMS', ready[10], '>')[1][2]
  reply[3], reply[4] = 10, got
  range = '10:' .. got[1][1] .. ':' .. got[#got][1] .. ' '
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
end
if expired > 0 then redis.call('HINCRBY', meta, 'expired', expired) end
reply[2] = waits and 0 or #book.members(lane, 1)
redis.call('HSET', memo, 'c:' .. worker, op .. '|' .. whole(now) .. '|' .. range)
return reply
