# How many seconds a duration like "1h30m" has, rounded up.

duration:

let
  match = builtins.match "(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?" duration;
  number = index:
    let digits = builtins.elemAt match index;
    in if digits == null then 0 else builtins.fromJSON digits;
in
if duration == "" || match == null then
  throw "The duration \"${duration}\" must be one like 500ms, 30s or 1h30m"
else
  number 1 * 3600 + number 3 * 60 + number 5 + (number 7 + 999) / 1000
