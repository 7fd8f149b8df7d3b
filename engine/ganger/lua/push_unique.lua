#!lua
-- One new job that must be the only one of its digest: lock and job in one step, into ready or (with a unit) later.
-- Whoever holds the lock keeps it, unless it is to be replaced and still waits: then its job is cancelled here.
-- KEYS meta memo locks tracks outbox log later lanes rest...
-- ARGV nonce step wake producer op places unit amount priority jid kind body digest ttl_ms conflict old_stream old_id
-- USES now ids ring op record bucket fields label dated ending lane
-- REPLY pushed repeat held waiting stale uninitialised
-- rest = 16 jobs hashes, then returned, ready 1 to 9, laned and parked. {held | waiting, jid of the holder, until ms}: `waiting` asks
-- the caller to name the holder's entry (old_stream, old_id), which only a search finds. Crash points: none.
if not opened then return {'uninitialised'} end
local runs, before = seen_places(jid)
if runs == 'stale' then return {'stale'} end
local now = now_ms()
if is_in(runs, jid) then
  remember(now, string.sub(before, 1, -2))
  return {'repeat'}
end

local function cancelled(holder, kind, body, state, at)
  ended(holder, kind, body, state, at, 'cancelled')
  redis.call('HINCRBY', meta, 'cancelled', 1)
end
-- Takes the holder's job out if it waits; else a word that says why not.
local function replace(holder)
  if redis.call('ZSCORE', later, holder) then
    local jobs = rest[bucket(holder)]
    local old_kind, at, state, old_body = unpack_record(redis.call('HGET', jobs, holder) or '')
    redis.call('ZREM', later, holder)
    redis.call('HDEL', jobs, holder)
    if old_kind then cancelled(holder, old_kind, old_body, state, at) end
    return nil
  end
  if old_id == '' then return 'waiting' end
  local stream = rest[17 + old_stream]
  local entry = redis.call('XRANGE', stream, old_id, old_id)[1]
  if not entry or field(entry[2], 'j') ~= holder then return 'waiting' end
  if redis.call('XPENDING', stream, 'workers', old_id, old_id, 1)[1] then return 'held' end
  entry_ended(entry[2], old_stream, 'cancelled')
  redis.call('HINCRBY', meta, 'cancelled', 1)
  drop(stream, old_id)
  lane_book().left(old_id, entry[2])
  return nil
end

local holder, limit = string.match(redis.call('HGET', locks, digest) or '', '^([^|]*)|(%d+)$')
if holder and tonumber(limit) > now then
  if holder == jid then -- the memo of this push is over, its job is not
    remember(now, before .. places)
    return {'repeat'}
  end
  local why = 'held'
  if conflict == 'replace' then why = replace(holder) end
  if why then return {why, holder, limit} end
end
local due = unit == 'in' and now + amount or unit == 'at' and tonumber(amount) or nil
redis.call('HSET', locks, digest, jid .. '|' .. whole(math.max(due or now, now) + ttl_ms))
remember(now, before .. places)
body = dated(body, due or now)
if due then
  redis.call('HSET', rest[bucket(jid)], jid, pack_record(kind, priority, '', body))
  redis.call('ZADD', later, whole(due), jid)
else
  add(rest[17 + priority], now, 'j', jid, 't', kind, 'b', body)
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
end
redis.call('HSET', meta, 'careful', '1')
redis.call('HINCRBY', meta, 'enqueued', 1)
if not due then ring(drained, priority) end
return {'pushed'}
