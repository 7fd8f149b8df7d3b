-- Of entries just delivered in a careful partition: those that may run. The others end here, at most 1,000 a call.
-- Needs what lib/ending needs.
local sifted = 0
local function sieve(stream, key, entries)
  local kept, gone = {}, {}
  local now = now_ms()
  for i = 1, #entries do
    local fields = entries[i][2]
    local label = label_of(field(fields, 'b') or '')
    local expires = label and tonumber(label_word(label, 'x'))
    if expires and expires <= now then
      entry_ended(fields, stream, 'expired')
      gone[#gone + 1] = entries[i][1]
    else
      kept[#kept + 1] = entries[i]
    end
  end
  if #gone > 0 then
    redis.call('XACK', key, 'workers', unpack(gone))
    redis.call('XDEL', key, unpack(gone))
    redis.call('HINCRBY', meta, 'expired', #gone)
    sifted = sifted + #gone
  end
  return kept
end
