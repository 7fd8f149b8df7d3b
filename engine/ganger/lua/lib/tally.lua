-- What a run would take, for its survey: number, first and last instant, and how many of each type.
local tallied, first_ms, last_seen_ms, kinds = 0, nil, 0, {}
local function tally(at, kind_of_it)
  tallied, first_ms, last_seen_ms = tallied + 1, math.min(first_ms or at, at), math.max(last_seen_ms, at)
  kinds[kind_of_it] = (kinds[kind_of_it] or 0) + 1
end
local function tallied_reply(next_cursor)
  local reply = {'counted', tallied, next_cursor, whole(first_ms or 0), whole(last_seen_ms)}
  for name, count in pairs(kinds) do reply[#reply + 1], reply[#reply + 2] = name, count end
  return reply
end
