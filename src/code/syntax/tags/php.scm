(enum_declaration name: (name) @name) @definition.enum
(method_declaration name: (name) @name) @definition.method
(const_element (name) @name) @definition.constant
(enum_case name: (name) @name) @definition.variant
