#!lua flags=allow-oom
-- A job that somebody doesn't want any more. Waiting, scheduled or retrying it ends here; in somebody's hands it is
-- marked for its holder, by its entry's id, and its host is told by a hint.
-- KEYS meta memo locks tracks outbox log stream lanes later bucket
-- ARGV wake nonce step index id jid
-- USES now ids fields record label ending lane
-- REPLY cancelled asked moved uninitialised
-- index and id = the entry that was found, id empty for one in later. {asked, who holds it}; {moved}: it is not there
-- any more, look again. The same call again answers the same: memo d:<nonce> knows it for ten minutes. Crash points:
-- none, for the hint is only a hint: a renewal tells of the mark as well.
if not opened then return {'uninitialised'} end
local record = id == '' and redis.call('ZSCORE', later, jid) and redis.call('HGET', bucket, jid)
local entry = id ~= '' and redis.call('XRANGE', stream, id, id)[1]
if record then
  local kind, priority, state, body = unpack_record(record)
  ended(jid, kind or '', body or '', state or '', priority or 5, 'cancelled')
  redis.call('ZREM', later, jid)
  redis.call('HDEL', bucket, jid)
elseif entry and field(entry[2], 'j') == jid then
  local lease = redis.call('XPENDING', stream, 'workers', id, id, 1)[1]
  if lease then
    redis.call('HSET', memo, 'x:' .. id, '1|' .. whole(now_ms()) .. '|')
    redis.pcall('SPUBLISH', wake, 'x' .. lease[2] .. ' ' .. id)
    return {'asked', lease[2]}
  end
  entry_ended(entry[2], index, 'cancelled')
  redis.call('XDEL', stream, id)
  lane_book().left(id, entry[2])
else
  return {redis.call('HEXISTS', memo, 'd:' .. nonce) == 1 and 'cancelled' or 'moved'}
end
redis.call('HINCRBY', meta, 'cancelled', 1)
redis.call('HSET', memo, 'd:' .. nonce, '1|' .. whole(now_ms()) .. '|')
return {'cancelled'}
