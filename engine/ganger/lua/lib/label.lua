-- The label of a job: the line ahead of its JSON, where there is one; engine/ganger/label.py tells its words.
local function label_of(body)
  if string.byte(body) == 123 then return nil end
  return string.match(body, '^([^\n]*)\n')
end
local function label_word(label, letter) return string.match(' ' .. label, ' ' .. letter .. '(%S*)') end
