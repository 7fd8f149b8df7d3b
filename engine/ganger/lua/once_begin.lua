#!lua flags=allow-oom
-- Begins a block that is to run once per key, unless it is done, or another holder is at it.
-- KEYS mark
-- ARGV token jid entry attempt pending_ms ttl_ms again
-- USES now
-- REPLY begun done failed pending superseded
-- {begun, state of an earlier holder that did not end well, or ''}; {done, result}; {failed, text};
-- {pending, ms until the mark is free, jid, attempt}; {superseded, attempt}.
-- Crash points: the holder dies after this: the mark is pending; a later delivery of the same job takes it over at
-- once, anybody else when pending_ms are over. A repeat (same token) changes nothing, nor does one that comes so late
-- that the holder has ended.
local was = redis.call('HMGET', mark, 'state', 'token', 'jid', 'entry', 'until', 'value', 'earlier', 'attempt')
local state, now = was[1], now_ms()
-- Is delivery `a` of a job older than `b`? Both are entry ids, <ms>-<number below 2^53>.
local function older(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if not a_ms or not b_ms then return false end
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_seq) < tonumber(b_seq)
end
if state == 'done' or state and was[2] == token then
  redis.call('HSET', mark, 'state', state) -- who waits for replicas waits for this connection's last write
  if state == 'done' then return {'done', was[6]} end
  if state == 'pending' then return {'begun', was[7]} end
  return {'failed', was[6]}
end
if state and jid ~= '' and was[3] == jid and older(entry, was[4]) then return {'superseded', was[8]} end
if state == 'failed' and again == '0' then return {'failed', was[6]} end
if state == 'pending' then
  local later_delivery = jid ~= '' and was[3] == jid and older(was[4], entry)
  local left = tonumber(was[5]) - now
  if left > 0 and not later_delivery then return {'pending', left, was[3], was[8]} end
end
redis.call('HSET', mark, 'state', 'pending', 'token', token, 'jid', jid, 'entry', entry, 'attempt', attempt,
  'until', whole(now + pending_ms), 'value', '', 'earlier', state or '')
redis.call('PEXPIRE', mark, math.max(tonumber(ttl_ms), tonumber(pending_ms)))
return {'begun', state or ''}
