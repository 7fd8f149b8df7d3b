#!lua flags=allow-oom
-- An expired lease: working -> returned, or -> dead when the job was lost too often. Only if the lease is still the
-- delivery that the judge saw: this entry, this owner, this delivery time.
-- KEYS meta memo locks tracks outbox log stream returned dead jobs...
-- ARGV wake nonce step consumer index id delivered_ms grain_ms target jid kind state max_count max_age_ms
-- USES now ids ring held fields record bucket trim bury label ending marked cancelling
-- REPLY moved gone stolen cancelled uninitialised
-- stolen = renewed or delivered anew. Crash points: none.
if not opened then return {'uninitialised'} end
local lease = redis.call('XPENDING', stream, 'workers', id, id, 1)[1]
local now = now_ms()
if not lease then return {'gone'} end
if math.abs(now - lease[3] - delivered_ms) > tonumber(grain_ms) then return {'stolen'} end
local fields, why = held(stream, id, consumer)
if not fields then return {why} end
if cancelled(stream, index, id, fields) then return {'cancelled'} end
local priority = priority_of(fields, index)
if target == 'dead' then
  local body = field(fields, 'b') or table.concat(fields, '\n')
  bury(jid, pack_record(kind, priority, state, body), tonumber(max_count), tonumber(max_age_ms))
  redis.call('HINCRBY', meta, 'dead', 1)
  ended(jid, kind, body, state, priority, 'dead')
else
  add(returned, now, 'j', jid, 't', kind, 'b', field(fields, 'b') or '', 's', state, 'p', priority)
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
end
drop(stream, id)
redis.call('HINCRBY', meta, 'lost', 1)
if target ~= 'dead' then ring(drained, priority) end
return {'moved'}
