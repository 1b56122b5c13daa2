#pragma once
#include <string_view>

#include "heed/io/detail/atomic_file.hpp"

namespace heed {

/// Writes a picture to a file, whole or not at all. A directory that is missing is made.
inline void save_picture(const std::filesystem::path& path, std::string_view picture) {
  std::error_code ignored;  // making the file says what is wrong
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  detail::AtomicFile file(path);
  file.write(picture.data(), picture.size());
  file.commit();
}

}  // namespace heed
