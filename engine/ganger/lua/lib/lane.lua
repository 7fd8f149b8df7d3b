-- Lanes: jobs of a limited type lie in parked, and lanes (a sorted set, all scores 0) has them in the order in which they
-- are claimed. A member is the entry's field l, <lane id><9 - priority><0 if it came back, else 1>, and its id, padded. A
-- lane id is of a type and a key; UNSORTED holds those whose key nobody has worked out yet. Whoever takes an entry out of
-- parked takes its member out as well. Needs lanes and the lib fields; to put something in, parked and the lib ids. All in
-- one function, so that a script which meets no lane pays for no more than that.
local UNSORTED = '0000000000000000'
local function lane_book()
  local book = {}
  local function padded(id)
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    return string.rep('0', 14 - #ms) .. ms .. '-' .. string.rep('0', 20 - #seq) .. seq
  end
  function book.lane_of(kind, key) return string.sub(redis.sha1hex(kind .. ' ' .. key), 1, 16) end
  function book.place_in(lane, priority, came_back)
    return lane .. 9 - (tonumber(string.match(priority, '^[1-9]$')) or 5) .. (came_back and 0 or 1)
  end
  function book.entry_id(member)
    local ms, seq = string.match(member, '0*(%d+)%-0*(%d+)$', 19)
    return ms .. '-' .. seq
  end
  -- The first members of a lane.
  function book.members(lane, count)
    return redis.call('ZRANGEBYLEX', lanes, '(' .. lane, '(' .. lane .. ':', 'LIMIT', 0, count)
  end
  -- Answers the lane's id where it was empty before, else "": coordinators know of the others.
  function book.put(now, place, key, jid, kind, body, state, priority)
    local lane = string.sub(place, 1, 16)
    local news = lane ~= UNSORTED and #book.members(lane, 1) == 0 and lane or ''
    local id = add(parked, now, 'j', jid, 't', kind, 'b', body, 's', state, 'p', priority, 'l', place, 'k', key)
    redis.call('ZADD', lanes, 0, place .. padded(id))
    return news
  end
  -- Tells coordinators of these lanes; of many only that there are some.
  function book.tell(news)
    if news ~= '' then redis.pcall('SPUBLISH', wake, 'l' .. (#news > 512 and '' or news)) end
  end
  -- An entry has left parked, whether it was in a lane or not.
  function book.left(id, fields)
    local place = field(fields, 'l')
    if place then redis.call('ZREM', lanes, place .. padded(id)) end
  end
  -- What meta's `aside` says, words "<type>=<until ms>" or "<tag>!<type>=<until ms>" for a type that has lanes by key, whose
  -- keys begin with the tag; * stands for all others. A mark is 'plain', or the tag.
  function book.marks_of(aside)
    local marks = {}
    for word in string.gmatch(aside or '', '(%S+)=%d+') do
      local tag, kind = string.match(word, '^(.-)!(.*)$')
      marks[kind or word] = tag or 'plain'
    end
    return marks
  end
  -- Whether it says each of these words.
  function book.says(aside, words)
    for word in string.gmatch(words, '%S+') do
      if not string.find(' ' .. (aside or ''), ' ' .. word .. '=', 1, true) then return false end
    end
    return true
  end
  function book.mark_of(marks, kind)
    return marks[kind] or string.find(kind, '^[%w_.:/-]+$') and marks['*']
  end
  -- Whether a job in this place, with this key, is where such a mark would have it.
  function book.fits(mark, place, key)
    local unsorted = string.sub(place, 1, 16) == UNSORTED
    if mark == 'plain' then return not unsorted and key == '' end
    return unsorted or string.sub(key, 1, #mark) == mark
  end
  return book
end
