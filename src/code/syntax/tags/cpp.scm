(namespace_definition name: (_) @name) @definition.module
(alias_declaration name: (type_identifier) @name) @definition.type
(class_specifier name: (type_identifier) @name body: (_)) @definition.class
