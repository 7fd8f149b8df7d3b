-- A body on its way in: the word `x+<ms>` of its label becomes the instant so long after `from`, which is of this node's
-- clock. No other word has a +. Needs lib now.
local function dated(body, from)
  if string.byte(body) == 123 then return body end
  local head, span, rest = string.match(body, '^([^\n]-x)%+(%d+)()')
  return head and head .. whole(from + span) .. string.sub(body, rest) or body
end
