-- What the end of a job owes: its unique lock is freed, its batch is told (by the outbox, for that lies in another
-- slot), its end is noted when it is tracked, and a queue that retains keeps it in the log. A partition that never
-- held a labelled job and retains nothing is not `careful`: there no end owes anything, and nobody need look. Also
-- reads what else of meta such scripts want. Needs meta locks tracks outbox log nonce step and the libs now ids fields
-- label. The end of a tracked job: e:<jid> = "<ms>|<ttl ms>|<how>|<type><told>", a line end, the state; a checkpoint
-- (c:<jid>) stays only with a dead letter, progress (p:<jid>) only with a noted end.
local told, ended_at = '', nil
local careful, opened, seq, retain, drained, paused, paused_types, aside =
  unpack(redis.call('HMGET', meta, 'careful', 'ms', 'seq', 'retain', 'drained', 'paused', 'paused_types', 'aside'))
last_ms, last_seq = tonumber(opened or 0), tonumber(seq or 0)
local function ended(jid, kind, body, state, priority, how)
  if not careful then return end
  ended_at = ended_at or now_ms()
  local label, now = label_of(body), ended_at
  local ttl = label and label_word(label, 't')
  if how ~= 'dead' then redis.call('HDEL', tracks, 'c:' .. jid, (ttl and 'c:' or 'p:') .. jid) end
  if label then
    local digest, member = label_word(label, 'u'), label_word(label, 'b')
    if digest then
      local lock = redis.call('HGET', locks, digest)
      if lock and string.match(lock, '^[^|]*') == jid then redis.call('HDEL', locks, digest) end
    end
    -- A success stands, even if another delivery of the same job fails before it has been told.
    if member and not string.find(redis.call('HGET', outbox, 'b:' .. member) or '', '^succeeded ') then
      redis.call('HSET', outbox, 'b:' .. member, how .. ' ' .. jid)
    end
  end
  if ttl then
    local about = table.concat({whole(now), ttl, how, kind}, '|') .. told
    redis.call('HSET', tracks, 'e:' .. jid, about .. '\n' .. state)
  end
  if retain and how ~= 'dead' and how ~= 'cancelled' then
    add(log, now, 'j', jid, 't', kind, 'b', body, 's', state, 'p', priority, 'h', how)
    redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  end
end
-- The same for an entry of a stream, given its fields and its stream's index.
local function entry_ended(fields, index, how)
  ended(field(fields, 'j') or '', field(fields, 't') or '', field(fields, 'b') or '', field(fields, 's') or '',
    priority_of(fields, index), how)
end
