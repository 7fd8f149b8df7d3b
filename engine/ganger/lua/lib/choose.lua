-- The ended jobs that a run takes from the log: those that ended in its span, of its type where it names one, in its ways
-- (hows = " succeeded exhausted "). Not those that it has brought back already and that are done again: a run takes a job
-- once. With `stamped` only those that bear this run's stamp. An entry that an undo put back tells its end in e; it lies
-- behind its time, `undone` of the memo is the last such. Needs memo log run cursor from_ms to_ms kind hows stamped limit and
-- the libs now fields label stamp ahead.
local function ended_at(id, fields) return tonumber(field(fields, 'e') or string.match(id, '^%d+')) end
local function wanted(id, fields)
  local at, stamp = ended_at(id, fields), stamp_of(field(fields, 'b') or '')
  if at < tonumber(from_ms) or at >= tonumber(to_ms) or (kind ~= '' and kind ~= field(fields, 't')) then return false end
  if not string.find(hows, ' ' .. (field(fields, 'h') or '') .. ' ', 1, true) then return false end
  local by = stamp and string.match(stamp, '^[^:]*')
  if stamped ~= '' then return by == stamped end
  return by ~= run
end
-- Their entries, `limit` at most, and the id to go on after ('' at the end).
local function choose()
  local rows = {}
  local last = math.max(tonumber(to_ms), tonumber(redis.call('HGET', memo, 'undone') or 0))
  local start = cursor == '' and from_ms or '(' .. cursor
  local next_cursor = ahead(log, start, whole(last), function(id, fields)
    if wanted(id, fields) then rows[#rows + 1] = {id, fields} end
    return #rows < tonumber(limit)
  end)
  return rows, next_cursor
end
