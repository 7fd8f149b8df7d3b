-- Of entries just delivered, in a partition that is careful or has paused types: those that may run. What has expired
-- ends here; jobs of a paused type are parked, out of the way of those behind them. At most 250 of both a call (their
-- ends may owe something, some milliseconds in all), or 4 MiB of them.
-- Needs parked and what lib/ending needs.
local sifted, sifted_bytes = 0, 0
local function is_paused(kind)
  return paused_types and string.find(' ' .. paused_types .. ' ', ' ' .. kind .. ' ', 1, true)
end
local function sieve(stream, key, entries)
  local kept, gone, expired, parks = {}, {}, 0, 0
  local now = now_ms()
  for i = 1, #entries do
    local id, fields = entries[i][1], entries[i][2]
    local kind, body = field(fields, 't') or '', field(fields, 'b') or ''
    local label = label_of(body)
    local expires = label and tonumber(label_word(label, 'x'))
    if expires and expires <= now then
      entry_ended(fields, stream, 'expired')
      gone[#gone + 1], expired = id, expired + 1
    elseif is_paused(kind) then
      add(parked, now, 'j', field(fields, 'j') or '', 't', kind, 'b', body, 's', field(fields, 's') or '',
        'p', stream ~= 0 and stream or field(fields, 'p') or '5')
      gone[#gone + 1], parks = id, parks + 1
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
  if parks > 0 then redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq)) end
  return kept
end
