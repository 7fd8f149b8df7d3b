#!lua flags=no-writes
-- Some of what a slot owes to others: from a cursor on, at most so many effects and bytes, but for the last few. One
-- may be a megabyte, so the steps are small.
-- KEYS outbox
-- ARGV cursor most most_bytes
-- REPLY page
-- {page, next cursor or 0, effect, value ..}. Crash points: none, it only reads.
local reply, bytes, looks = {'page', cursor}, 0, 0
repeat
  local page = redis.call('HSCAN', outbox, reply[2], 'COUNT', 2)
  reply[2] = page[1]
  for i = 1, #page[2], 2 do
    if page[2][i] ~= '' then
      reply[#reply + 1], reply[#reply + 2] = page[2][i], page[2][i + 1]
      bytes = bytes + #page[2][i + 1]
    end
  end
  looks = looks + 1 -- a hash that was once large is mostly empty
until page[1] == '0' or #reply >= 2 * most or bytes >= tonumber(most_bytes) or looks == 2000
return reply
