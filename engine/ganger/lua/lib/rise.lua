-- later -> ready for one job, whatever its due time: its priority and the bytes of its record; 0 when there is none,
-- for then it can only be dropped. Needs later, rest (16 jobs hashes, then ready 1 to 9) and the libs ids, record, bucket.
local function rise(jid, now)
  local jobs = rest[bucket(jid)]
  local record = redis.call('HGET', jobs, jid) or ''
  local kind, priority, state, body = unpack_record(record)
  if kind then
    if state == '' then
      add(rest[16 + priority], now, 'j', jid, 't', kind, 'b', body)
    else
      add(rest[16 + priority], now, 'j', jid, 't', kind, 'b', body, 's', state)
    end
    redis.call('HDEL', jobs, jid)
  end
  redis.call('ZREM', later, jid)
  return kind and priority or 0, #record
end
