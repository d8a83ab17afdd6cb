// A folder of a test's own, gone at its end. Open to pass through, so that PostgreSQL can reach it as another user when we are root.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <sys/stat.h>

struct temporary_folder {
  std::filesystem::path path;
  temporary_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "taskmaster-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
    ::chmod(pattern.c_str(), 0711);
    path = pattern;
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
};
