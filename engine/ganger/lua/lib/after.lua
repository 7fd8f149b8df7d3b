-- Whether an entry id comes after another.
local function after(id, other)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  local other_ms, other_seq = string.match(other, '^(%d+)-(%d+)$')
  ms, other_ms = tonumber(ms), tonumber(other_ms)
  if ms ~= other_ms then return ms > other_ms end
  return tonumber(seq) > tonumber(other_seq)
end
