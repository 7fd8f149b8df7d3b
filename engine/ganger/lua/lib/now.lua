-- The node's clock in ms. Servers from 7.2 on freeze it for the length of a script, older ones do not.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function whole(number) return string.format('%.0f', number) end
