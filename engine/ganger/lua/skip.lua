#!lua flags=allow-oom
-- ready, returned -> skipped: what became ready before an instant and nobody has claimed ends here unrun, one stream's chunk
-- a call, stamped with the run that did it.
-- KEYS meta memo stream lanes locks tracks outbox log
-- ARGV nonce step run act index cursor to_ms kind limit
-- USES now ids fields label stamp run waiting after ahead unclaimed ending tally lane
-- REPLY skipped counted closed uninitialised
-- act = skip | count; replies as replay's. Crash points: none.
if not opened then return {'uninitialised'} end
local moved, taken_back, shut = run_before(run)
if shut then return {'closed', moved} end
local count, book = 0, lane_book()
local next_cursor = unclaimed('(' .. to_ms .. '-0', function(id, fields)
  if kind ~= '' and kind ~= field(fields, 't') then return true end
  count = count + 1
  if act == 'count' then
    tally(tonumber(string.match(id, '^%d+')), field(fields, 't') or '')
  else
    local priority = priority_of(fields, index)
    ended(field(fields, 'j') or '', field(fields, 't') or '', relabel(field(fields, 'b') or '', 'r', 'r' .. run),
      field(fields, 's') or '', priority, 'skipped')
    redis.call('XDEL', stream, id)
    book.left(id, fields)
  end
  return count < tonumber(limit)
end)
if act == 'count' then return tallied_reply(next_cursor) end
run_after(run, now_ms(), moved + count, taken_back, false)
if count > 0 then redis.call('HINCRBY', meta, 'skipped', count) end
return {'skipped', moved + count, next_cursor}
