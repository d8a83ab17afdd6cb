# taskmaster_grpc: gRPC, its reflection, protobuf and abseil, linked from their archives. As shared libraries they are sixty of the eighty
# that a process maps and relocates at its start, and 3.7 MB of an idle worker's memory (docs/performance.md). What other packages
# share with them (OpenSSL, zlib) stays shared. Where an archive is missing, or a small program cannot be linked with them, all are
# linked from the shared libraries, as CMake's packages say.
include(CheckCXXSourceCompiles)

pkg_check_modules(GRPC REQUIRED QUIET grpc++)
# gRPC uses re2, whose version on Debian 13 uses more of abseil than gRPC's own list names.
pkg_check_modules(RE2 QUIET re2)
set(_archives)
set(_shared)
foreach(_name IN ITEMS grpc++_reflection ${GRPC_STATIC_LIBRARIES} ${RE2_STATIC_LIBRARIES} protobuf)
  if(_name MATCHES "^(grpc|gpr|protobuf|absl_|re2|upb|address_sorting|cares)")
    find_library(_archive lib${_name}.a NO_CACHE)
    if(NOT _archive)
      message(STATUS "lib${_name}.a is not installed: gRPC is linked from its shared libraries")
      set(_archives)
      break()
    endif()
    list(APPEND _archives ${_archive})
    unset(_archive)
  elseif(NOT _name MATCHES "^(ssl|crypto)$")
    list(APPEND _shared ${_name})
  endif()
endforeach()

if(_archives)
  list(REMOVE_DUPLICATES _archives)
  list(REMOVE_DUPLICATES _shared)
  list(JOIN _archives "," _archives)
  # They refer to each other in circles.
  set(_libraries "$<LINK_GROUP:RESCAN,${_archives}>" OpenSSL::SSL OpenSSL::Crypto ${_shared} Threads::Threads)
  # The lists above are what the packages say of themselves, which was wrong once. The linker says whether they are complete. The
  # result is cached under a name that holds the list, so that an upgraded package is tried anew.
  string(SHA1 _list "${_libraries}")
  set(CMAKE_REQUIRED_LIBRARIES ${_libraries})
  set(CMAKE_REQUIRED_QUIET ON)
  message(CHECK_START "Linking gRPC from its archives")
  check_cxx_source_compiles("
    #include <grpcpp/ext/proto_server_reflection_plugin.h>
    #include <grpcpp/grpcpp.h>
    int main() {
      grpc::reflection::InitProtoReflectionServerBuilderPlugin();
      auto channel = grpc::CreateChannel(\"127.0.0.1:1\", grpc::InsecureChannelCredentials());
      grpc::ServerBuilder builder;
      return builder.BuildAndStart() && channel ? 0 : 1;
    }" TASKMASTER_GRPC_ARCHIVES_${_list})
  unset(CMAKE_REQUIRED_LIBRARIES)
  unset(CMAKE_REQUIRED_QUIET)
  if(TASKMASTER_GRPC_ARCHIVES_${_list})
    message(CHECK_PASS "done")
  else()
    message(CHECK_FAIL "not possible with these versions: linked from the shared libraries")
    set(_archives)
  endif()
endif()

add_library(taskmaster_grpc INTERFACE)
if(_archives)
  target_link_libraries(taskmaster_grpc INTERFACE ${_libraries})
else()
  target_link_libraries(taskmaster_grpc INTERFACE gRPC::grpc++ gRPC::grpc++_reflection protobuf::libprotobuf absl::synchronization)
endif()
