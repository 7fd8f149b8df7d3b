-- Entries of a stream that nobody has claimed, after the cursor: what was claimed meanwhile lies up to the group's last id.
-- Answers the id to go on after, or ''. Needs stream cursor and the libs waiting after ahead.
local function unclaimed(last, see)
  local count, claimed = waiting(stream)
  if count <= 0 then return '' end
  local start = cursor ~= '' and after(cursor, claimed) and cursor or claimed
  return ahead(stream, '(' .. start, last, see)
end
