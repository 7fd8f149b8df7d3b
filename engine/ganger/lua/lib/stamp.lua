-- The stamp of a run on a job, word r of its label: "<run>:<when it had ended, ms>:<how>" on what runs again, "<run>" on what
-- was skipped. Needs the lib label.
local function stamp_of(body)
  local label = label_of(body)
  return label and label_word(label, 'r')
end
-- The body under a label without the words of these letters, and with this one where it is given.
local function relabel(body, letters, word)
  local label, words = label_of(body), {}
  if label then
    body = string.sub(body, #label + 2)
    for each in string.gmatch(label, '%S+') do
      if not string.find(letters, string.sub(each, 1, 1), 1, true) then words[#words + 1] = each end
    end
  end
  words[#words + 1] = word
  if #words == 0 then return body end
  return table.concat(words, ' ') .. '\n' .. body
end
