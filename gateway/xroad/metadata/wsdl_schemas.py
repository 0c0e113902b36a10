"""The XML schemas of X-Road identifiers and headers, for descriptions that lack them (PR-MESS annex A).

Types and elements are named as in the field's own files: clients look their types up by these names.
"""

from __future__ import annotations

from typing import Final

NS_XSD: Final = "http://www.w3.org/2001/XMLSchema"

IDENTIFIERS: Final = b"""\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="http://x-road.eu/xsd/identifiers"
 elementFormDefault="qualified" targetNamespace="http://x-road.eu/xsd/identifiers">
<xs:complexType name="XRoadIdentifierType"><xs:sequence>
<xs:element minOccurs="0" ref="xRoadInstance"/><xs:element minOccurs="0" ref="memberClass"/>
<xs:element minOccurs="0" ref="memberCode"/><xs:element minOccurs="0" ref="subsystemCode"/>
<xs:element minOccurs="0" ref="groupCode"/><xs:element minOccurs="0" ref="serviceCode"/>
<xs:element minOccurs="0" ref="serviceVersion"/><xs:element minOccurs="0" ref="serverCode"/>
</xs:sequence><xs:attribute ref="objectType" use="required"/></xs:complexType>
<xs:simpleType name="XRoadObjectType"><xs:restriction base="xs:string">
<xs:enumeration value="MEMBER"/><xs:enumeration value="SUBSYSTEM"/><xs:enumeration value="SERVER"/>
<xs:enumeration value="GLOBALGROUP"/><xs:enumeration value="LOCALGROUP"/><xs:enumeration value="SERVICE"/>
</xs:restriction></xs:simpleType>
<xs:element name="xRoadInstance" type="xs:string"/>
<xs:element name="memberClass" type="xs:string"/>
<xs:element name="memberCode" type="xs:string"/>
<xs:element name="subsystemCode" type="xs:string"/>
<xs:element name="groupCode" type="xs:string"/>
<xs:element name="serviceCode" type="xs:string"/>
<xs:element name="serviceVersion" type="xs:string"/>
<xs:element name="serverCode" type="xs:string"/>
<xs:attribute name="objectType" type="XRoadObjectType"/>
<xs:complexType name="XRoadClientIdentifierType"><xs:complexContent><xs:restriction base="XRoadIdentifierType">
<xs:sequence><xs:element ref="xRoadInstance"/><xs:element ref="memberClass"/><xs:element ref="memberCode"/>
<xs:element minOccurs="0" ref="subsystemCode"/></xs:sequence>
<xs:attribute ref="objectType" use="required"/></xs:restriction></xs:complexContent></xs:complexType>
<xs:complexType name="XRoadServiceIdentifierType"><xs:complexContent><xs:restriction base="XRoadIdentifierType">
<xs:sequence><xs:element ref="xRoadInstance"/><xs:element ref="memberClass"/><xs:element ref="memberCode"/>
<xs:element minOccurs="0" ref="subsystemCode"/><xs:element ref="serviceCode"/>
<xs:element minOccurs="0" ref="serviceVersion"/></xs:sequence>
<xs:attribute fixed="SERVICE" ref="objectType" use="required"/></xs:restriction></xs:complexContent></xs:complexType>
<xs:complexType name="XRoadSecurityServerIdentifierType"><xs:complexContent>
<xs:restriction base="XRoadIdentifierType">
<xs:sequence><xs:element ref="xRoadInstance"/><xs:element ref="memberClass"/><xs:element ref="memberCode"/>
<xs:element ref="serverCode"/></xs:sequence>
<xs:attribute fixed="SERVER" ref="objectType" use="required"/></xs:restriction></xs:complexContent></xs:complexType>
</xs:schema>
"""

XROAD: Final = b"""\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="http://x-road.eu/xsd/xroad.xsd"
 xmlns:id="http://x-road.eu/xsd/identifiers" elementFormDefault="qualified"
 targetNamespace="http://x-road.eu/xsd/xroad.xsd">
<xs:import namespace="http://x-road.eu/xsd/identifiers"/>
<xs:element name="version" type="xs:string"/>
<xs:element name="client" type="id:XRoadClientIdentifierType"/>
<xs:element name="service" type="id:XRoadServiceIdentifierType"/>
<xs:element name="securityServer" type="id:XRoadSecurityServerIdentifierType"/>
<xs:element name="userId" type="xs:string"/>
<xs:element name="protocolVersion" type="xs:string"/>
<xs:element name="id" type="xs:string"/>
<xs:element name="issue" type="xs:string"/>
<xs:element name="requestHash"><xs:complexType><xs:simpleContent><xs:extension base="xs:string">
<xs:attribute name="algorithmId" type="xs:string"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
<xs:element name="title" type="xs:string"/>
<xs:element name="notes" type="xs:string"/>
<xs:element name="techNotes" type="xs:string"/>
</xs:schema>
"""
