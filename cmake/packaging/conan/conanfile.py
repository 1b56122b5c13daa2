"""A recipe of the checkout that it lies in:  conan create cmake/packaging/conan"""

import os

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy


class HeedRecipe(ConanFile):
    name = "heed"
    version = "0.2.0"
    description = "Attention for reinforcement-learning policies on Eigen"
    license = "MIT"
    topics = ("reinforcement-learning", "attention", "eigen", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"  # to check the standard; package_id forgets them
    options = {"io": [True, False]}  # heed/io, which reads and writes files, needs nlohmann_json
    default_options = {"io": True}
    no_copy_source = True

    def export_sources(self):
        checkout = os.path.join(self.recipe_folder, os.pardir, os.pardir, os.pardir)
        copy(self, "include/heed/*.hpp", checkout, self.export_sources_folder)
        copy(self, "LICENSE", checkout, self.export_sources_folder)

    def requirements(self):
        self.requires("eigen/[>=3.4.0 <6]", transitive_headers=True)
        if self.options.io:
            self.requires("nlohmann_json/[>=3.10 <4]", transitive_headers=True)

    def validate(self):
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "heed")
        self.cpp_info.set_property("cmake_target_name", "heed::heed")
        self.cpp_info.set_property("pkg_config_name", "heed")
