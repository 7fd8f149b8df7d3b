#!lua flags=allow-oom
-- Takes jobs for a worker: highest priority first, returned ones before others of their priority and one at a time, until
-- their expected run time reaches the budget, their number or their bytes a cap. How long a type runs is known from costs
-- (MessagePack, type -> us); an unknown type uses up the budget. Reads ahead in doubling chunks from `ahead` on (16 at most
-- by itself), so it overshoots by no more than a chunk of big or long ones. The same op again answers the same entries as
-- far as they are still this consumer's; an older one is refused.
-- KEYS meta memo locks tracks outbox log parked lanes returned ready...
-- ARGV wake nonce step consumer worker op budget_us cap_n cap_bytes costs ahead marked
-- USES now ids waiting fields claimed_before returned label ending lane sieve
-- REPLY claimed refused uninitialised
-- {claimed, more 0/1, stream, {{id, fields}..}, stream, {..}.., how many wait unsorted, if any}. marked = words of `aside`:
-- nothing, in a partition that has not been told each of them. Memo c:<worker> = "<op>|<ms>|<stream>:<first>:<last> ..",
-- or "x" in place of the ranges when close_claim was first. Crash points: none.
if not opened then return {'uninitialised'} end
local memoed = redis.call('HGET', memo, 'c:' .. worker)
op, budget_us, cap_n, cap_bytes = tonumber(op), tonumber(budget_us), tonumber(cap_n), tonumber(cap_bytes)
local reply = {'claimed', 0}
if memoed then
  local before = claimed_before(memoed, reply)
  if before then return before end
end
if paused == '1' then return reply end
if marked ~= '' and not lane_book().says(aside, marked) then return reply end

local known = cmsgpack.unpack(costs)
local taken, spent, bytes, dearest, fattest, chunk = 0, 0, 0, 1, 1, tonumber(ahead)
local ranges, firsts = '', nil

local function full()
  return taken >= cap_n or spent >= budget_us or bytes >= cap_bytes or sifted >= 250 or sifted_bytes >= 4194304
end

-- Takes up to `count` from one stream; answers how many there were and the last one's id.
local function take(stream, key, count)
  local got = redis.call('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', count, 'STREAMS', key, '>')
  if not got then return 0 end
  local delivered = got[1][2]
  local entries = sieve and sieve(stream, key, delivered) or delivered
  if #entries == 0 then return #delivered end
  for i = 1, #entries do
    local fields = entries[i][2]
    local cost, size = known[fields[4]] or budget_us, #(fields[6] or '')
    spent, bytes = spent + cost, bytes + size
    if cost > dearest then dearest = cost end
    if size > fattest then fattest = size end
  end
  taken = taken + #entries
  firsts = firsts or entries[1][1]
  reply[#reply + 1], reply[#reply + 2] = stream, entries
  return #delivered, entries[#entries][1]
end
local function took(stream, last)
  ranges, firsts = ranges .. (firsts and stream .. ':' .. firsts .. ':' .. last .. ' ' or ''), nil
end

peek_returned()
local more = 0
for priority = 9, 1, -1 do
  local last
  while not full() and best_returned() >= priority do
    local count, id = take(0, returned, 1)
    at = at + 1
    if count == 0 then window, at = {}, 1 else last = id or last end
  end
  if last then took(0, last) end
  local key, empty = ready[priority], redis.call('XLEN', ready[priority]) == 0
  last = nil
  while not empty and not full() do
    local count = math.min(chunk, cap_n - taken, math.floor((budget_us - spent) / dearest),
      math.floor((cap_bytes - bytes) / fattest))
    count = math.max(count, 1)
    local got, id = take(priority, key, count)
    last = id or last
    empty = got < count
    chunk = math.max(chunk, math.min(chunk * 2, 16))
  end
  if last then took(priority, last) end
  if full() then
    if best_returned() > 0 then more = 1 end
    for rest = priority, 1, -1 do
      if more == 1 then break end
      if waiting(ready[rest]) > 0 then more = 1 end
    end
    break
  end
end
reply[2] = more
redis.call('HSET', memo, 'c:' .. worker, op .. '|' .. whole(now_ms()) .. '|' .. ranges)
if more == 0 and drained ~= '1' then redis.call('HSET', meta, 'drained', '1') end
return sieve and sieved(reply) or reply
