-- Entry ids that no server ever hands out twice. `XADD *` would: a promoted replica whose clock lags goes on
-- from the last id it knows, which its lost primary may have given to other jobs. So an id is <ms>-<random>,
-- and while the clock stands (or was set back) the random part grows by a random step. Nonce and step are drawn
-- by the caller, per call. Doubles are exact below 2^53, hence the carry. Needs meta, nonce, step and lib now.
local last_ms, last_seq = 0, 0
local function next_id(now)
  if now > last_ms then
    last_ms, last_seq = now, tonumber(nonce)
  else
    last_seq = last_seq + step
    if last_seq > 4503599627370496 then last_ms, last_seq = last_ms + 1, tonumber(nonce) end
  end
  return whole(last_ms) .. '-' .. whole(last_seq)
end
-- Adds an entry. A stream whose last id is ahead of meta (meta was lost alone) is followed, not fought.
local function add(stream, now, ...)
  local id = redis.pcall('XADD', stream, next_id(now), ...)
  if type(id) == 'string' then return id end
  if not string.find(id.err, 'smaller', 1, true) then error(id.err) end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local last = string.match(info[i + 1], '^%d+')
      -- Made by hand: no double can go on from it, and no other stream shall.
      if tonumber(last) > 4503599627370496 then return redis.call('XADD', stream, last .. '-*', ...) end
      last_ms = math.max(last_ms, tonumber(last))
    end
  end
  last_ms, last_seq = last_ms + 1, tonumber(nonce)
  return redis.call('XADD', stream, whole(last_ms) .. '-' .. whole(last_seq), ...)
end
