-- Of entries just delivered, those that may run; nil in a partition that is not careful and has no paused types and none
-- that wait in lanes: there all may, and nobody need look. What has expired ends here; jobs of a paused type are parked,
-- out of the way of those behind them, and those of a limited type go into their lane. At most 250 of all a call (their
-- ends may owe something, some milliseconds in all), or 4 MiB of them. `sieved` comes last: it tells coordinators of lanes,
-- and in the reply how many jobs wait unsorted. Needs wake parked lanes and what lib/ending needs, and lib lane.
local sifted, sifted_bytes, sieve, sieved = 0, 0, nil, nil
if careful or paused_types or aside then
  local book, news = lane_book(), ''
  local marks = book.marks_of(aside)
  local function is_paused(kind)
    return paused_types and string.find(' ' .. paused_types .. ' ', ' ' .. kind .. ' ', 1, true)
  end
  sieve = function(stream, key, entries)
    local kept, gone, expired, moves = {}, {}, 0, 0
    local now = now_ms()
    for i = 1, #entries do
      local id, fields = entries[i][1], entries[i][2]
      local kind, body = field(fields, 't') or '', field(fields, 'b') or ''
      local label = label_of(body)
      local expires = label and tonumber(label_word(label, 'x'))
      local mark = book.mark_of(marks, kind)
      if expires and expires <= now then
        entry_ended(fields, stream, 'expired')
        gone[#gone + 1], expired = id, expired + 1
      elseif mark or is_paused(kind) then
        local jid, state, priority = field(fields, 'j') or '', field(fields, 's') or '', priority_of(fields, stream)
        if is_paused(kind) then
          add(parked, now, 'j', jid, 't', kind, 'b', body, 's', state, 'p', priority)
        else
          local lane = mark == 'plain' and book.lane_of(kind, '') or UNSORTED
          news = news .. book.put(now, book.place_in(lane, priority, stream == 0), '', jid, kind, body, state, priority)
        end
        gone[#gone + 1], moves = id, moves + 1
      else
        kept[#kept + 1] = entries[i]
      end
      if gone[#gone] == id then sifted_bytes = sifted_bytes + #body end
    end
    if #gone > 0 then
      redis.call('XACK', key, 'workers', unpack(gone))
      redis.call('XDEL', key, unpack(gone))
      sifted = sifted + #gone
    end
    if expired > 0 then redis.call('HINCRBY', meta, 'expired', expired) end
    if moves > 0 then redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq)) end
    return kept
  end
  sieved = function(reply)
    book.tell(news)
    local unsorted = aside and redis.call('ZLEXCOUNT', lanes, '(' .. UNSORTED, '(' .. UNSORTED .. ':') or 0
    if unsorted > 0 then reply[#reply + 1] = unsorted end
    return reply
  end
end
