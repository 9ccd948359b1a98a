# Sets NATIVEGRAD_ABI_SOURCES to a number that changes with the text of every header by which addon and plugin
# understand each other: codes, orders and layouts that no function of C++ can list. `cmake -D ROOT=native -P` prints it.
cmake_minimum_required(VERSION 3.18)
if(NOT ROOT)
  get_filename_component(ROOT ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
endif()
set(abi_text "")
foreach(
  header
  backend/backend.h
  backend/graphs.h
  backend/marks.h
  backend/plugin.h
  ops/chain_steps.h
  ops/elementwise_table.def
  ops/functions.h
  ops/op_params.h
  ops/op_table.def
  ops/optimizer_params.h
  tensor/dtype.h
  tensor/tensor_view.h)
  file(SHA256 ${ROOT}/${header} digest)
  string(APPEND abi_text "${header} ${digest}\n")
  if(NOT CMAKE_SCRIPT_MODE_FILE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ROOT}/${header})
  endif()
endforeach()
string(SHA256 abi_text "${abi_text}")
string(SUBSTRING ${abi_text} 0 16 abi_text)
set(NATIVEGRAD_ABI_SOURCES 0x${abi_text}ull)
if(CMAKE_SCRIPT_MODE_FILE)
  message(STATUS ${NATIVEGRAD_ABI_SOURCES})
else()
  set_source_files_properties(${ROOT}/backend/abi.cpp PROPERTIES COMPILE_DEFINITIONS
                                                                 NATIVEGRAD_ABI_SOURCES=${NATIVEGRAD_ABI_SOURCES})
endif()
