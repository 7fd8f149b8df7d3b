-- Entries of a stream from `start` to `last`, in pages of few or, where they are big, very few: XRANGE hands out whole
-- entries. `see` says false when it has enough. Answers the id to go on after, or '' when no more is left.
local function ahead(stream, start, last, see)
  local scanned, bytes = 0, 0
  while true do
    local asked = bytes < 65536 and 64 or 4
    local page = redis.call('XRANGE', stream, start, last, 'COUNT', asked)
    for _, row in ipairs(page) do
      scanned, bytes = scanned + 1, bytes + #(row[2][6] or '')
      start = '(' .. row[1]
      if see(row[1], row[2]) == false or scanned >= 500 or bytes > 4194304 then return row[1] end
    end
    if #page < asked then return '' end
  end
end
