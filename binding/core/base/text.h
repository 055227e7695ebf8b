#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace rocksdb_backup {

// Takes the text before the first `end` and returns it. `text` becomes what comes after `end`.
inline std::string_view TakeUntil(char end, std::string_view* text) {
  const std::string_view taken = text->substr(0, text->find(end));
  text->remove_prefix(std::min(text->size(), taken.size() + 1));
  return taken;
}

// Reads a number. True only if the text is decimal digits and nothing else, and the number fits the type.
template <class Number>
bool ToNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && text.front() != '-';
}

}  // namespace rocksdb_backup
