#!lua flags=allow-oom
-- ready, returned -> log: what a run brought back and nobody has begun, one stream's chunk a call; entries go back with the
-- end that they had. What was copied into this queue by the run goes altogether. From the first call on, what the run
-- still has on its way is refused here.
-- KEYS meta memo log lanes stream
-- ARGV nonce step run act index cursor limit
-- USES now ids fields label stamp run waiting after ahead unclaimed lane
-- REPLY undone uninitialised
-- act = log | gone. A job that has a state, or is claimed, has begun. {undone, by this run here in all, id to go on after
-- or ''}. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq')
if not head[1] then return {'uninitialised'} end
local moved, taken_back = run_before(run)
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, count, book = now_ms(), 0, lane_book()
local next_cursor = unclaimed('+', function(id, fields)
  local body = field(fields, 'b') or ''
  local by, ended, how = string.match(stamp_of(body) or '', '^([^:]*):?(%d*):?(.*)$')
  if by ~= run or (field(fields, 's') or '') ~= '' then return true end
  if act == 'log' then
    add(log, now, 'j', field(fields, 'j') or '', 't', field(fields, 't') or '', 'b', relabel(body, 'r'),
      's', '', 'p', priority_of(fields, index), 'h', how, 'e', ended)
  end
  redis.call('XDEL', stream, id)
  book.left(id, fields)
  count = count + 1
  return count < tonumber(limit)
end)
run_after(run, now, moved, taken_back + count, true)
if count > 0 and act == 'log' then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  redis.call('HSET', memo, 'undone', whole(last_ms))
  redis.call('HINCRBY', meta, 'replayed', -count)
elseif count > 0 then
  redis.call('HINCRBY', meta, 'cancelled', count)
end
return {'undone', taken_back + count, next_cursor}
