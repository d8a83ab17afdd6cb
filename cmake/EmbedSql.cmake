# Writes OUTPUT, a C++ file that holds each of FILES as a raw string: `taskmaster::embedded_sql()` lists (name, text).
# A literal over 64 KiB would need splitting; no SQL file of ours comes near.
set(_text "#include \"schema/embedded_sql.hpp\"\nnamespace taskmaster {\nconst std::vector<sql_file>& embedded_sql() {\n  static const std::vector<sql_file> files{\n")
foreach(_file ${FILES})
  get_filename_component(_dir ${_file} DIRECTORY)
  get_filename_component(_dir ${_dir} NAME)
  get_filename_component(_name ${_file} NAME)
  file(READ ${_file} _sql)
  string(APPEND _text "    {\"${_dir}/${_name}\", R\"__sql__(${_sql})__sql__\"},\n")
endforeach()
string(APPEND _text "  };\n  return files;\n}\n} // namespace taskmaster\n")
file(WRITE ${OUTPUT} "${_text}")
